"""Build a TensorRT engine: `python export/build_trt.py --onnx model.onnx --out model.plan`."""

from microau.export.trt.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
