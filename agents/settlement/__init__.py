"""Settlement: states what each site metered against its baseline, half-hour by half-hour, once its day has passed."""
