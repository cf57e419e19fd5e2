"""The restricted network of set-up containers: proxy, relay, allowed hosts."""
