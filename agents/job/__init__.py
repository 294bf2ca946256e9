"""What people want: intake, lifecycle and bids."""
