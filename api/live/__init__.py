"""What reaches callers by itself: subscriptions over WebSocket and server-sent events."""
