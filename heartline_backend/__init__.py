"""What devices tell, kept once for all of them: sessions, events, who is online. For a server, never for a device."""
