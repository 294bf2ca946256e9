"""What it was worth: baselines, settlement and savings."""
