"""The words every part of Slackwater shares: units, slots, series, jobs, sites, bids and plans."""
