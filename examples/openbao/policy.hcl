# What mobid may do in the mount "pki". Certificates, issuers and lists are open to everybody there.

# Look at a role before it has anything signed with it.
path "pki/roles/mobid-authentication" { capabilities = ["read"] }
path "pki/roles/mobid-signature" { capabilities = ["read"] }

# Have certificates signed by the issuer "mobid", with these roles and no others.
path "pki/issuer/mobid/sign/mobid-authentication" { capabilities = ["update"] }
path "pki/issuer/mobid/sign/mobid-signature" { capabilities = ["update"] }

# Look for what was signed when its answer was lost.
path "pki/certs/detailed" { capabilities = ["list"] }

# Revoke: any certificate of this mount, which is why mobid should have one of its own.
path "pki/revoke" { capabilities = ["update"] }

# Say where chain, list and OCSP are.
path "pki/config/urls" { capabilities = ["read"] }
