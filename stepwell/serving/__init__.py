"""The API on the network: what listens, who is let in, and how long anybody may keep it waiting.

uvicorn runs the application; what it leaves open (a client that never ends its request's head, connections without
end, answers nobody reads) is closed here. Knows HTTP and TLS, nothing of processes.
"""
