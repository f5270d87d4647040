"""What the tests share: databases, servers, clients, generators and oracles."""
