"""The agents that negotiate: energy, job, site, policy; they share words and talk through ``messages``."""
