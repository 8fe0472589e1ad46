"""From trained weights to files that run: ONNX, quantisation, TensorRT, the face models."""
