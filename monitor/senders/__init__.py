"""From notices in the state to messages that arrived: the relay, the queue, the senders, and who watches over them."""
