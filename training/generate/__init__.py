"""Generated micro-expressions: video and flow samples whose every movement is known exactly."""
