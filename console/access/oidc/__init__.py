"""People sign in at an issuer: OpenID Connect, the authorization code flow with PKCE, the console as the client."""
