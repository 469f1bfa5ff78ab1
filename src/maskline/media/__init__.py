"""Media formats without I/O: SDP, RTP, G.711, DTMF, tones."""
