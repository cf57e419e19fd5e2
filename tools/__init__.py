"""What the agent may do: one typed function a tool, one file a tool."""
