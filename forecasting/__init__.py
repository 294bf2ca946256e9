"""What has not been published yet: forecasts with calibrated intervals, in plain numpy, without I/O."""
