"""What the integration tests stand on: servers, poolers, a raw client, a fault gate."""
