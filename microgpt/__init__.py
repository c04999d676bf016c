"""microGPT: a small character-level GPT written from scratch, made to be looked into."""
