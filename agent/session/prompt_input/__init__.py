"""What a person enters at the prompt: completion, attachments, history and keys."""
