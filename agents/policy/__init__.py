"""What is best: the master problem, prices, the fill to whole jobs, the certificate and the explanations."""
