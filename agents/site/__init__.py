"""Where it runs: profiles, cooling, simulators, executors and metering."""
