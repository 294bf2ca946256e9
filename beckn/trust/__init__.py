"""Who is who in the network: the registry, signatures, addresses that may be called, contexts that may be used."""
