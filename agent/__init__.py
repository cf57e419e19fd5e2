"""Who decides: the loop, the models, the strategies and the front ends."""
