"""Planning of parts: operations, rules, decisions, locks. Writes nothing."""
