"""EventBridge: the event bus with its rules, and event streams from queues, with functions as targets."""
