"""What Jaragua knows, for other programs: event files of TensorBoard, metrics of Prometheus, Home Assistant."""
