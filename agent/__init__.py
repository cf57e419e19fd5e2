"""The agent: the loop, the models, the strategies and the front ends."""
