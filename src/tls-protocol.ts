// Layer 0. By which a client's hello says what it wants inside TLS (ALPN), where its first bytes would not.

/** The dialect in which the server speaks first. */
export const PIPE_PROTOCOL = 'parley-pipe';
/** As browsers say it. */
export const HTTP_PROTOCOL = 'http/1.1';
