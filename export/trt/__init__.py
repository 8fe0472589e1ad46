"""TensorRT engines: read the ONNX file, build for the chosen GPU, write the plan and its card."""
