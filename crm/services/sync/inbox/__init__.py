"""What comes in by itself: deliveries of webhooks, their events, and the reads that these cause."""
