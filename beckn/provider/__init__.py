"""What we sell: shelf, quotes, holds, confirmations, settlement."""
