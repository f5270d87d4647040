"""What a part means: operations, rules, decisions, locks. Writes nothing."""
