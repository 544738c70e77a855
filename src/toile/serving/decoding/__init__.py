"""Pictures of strangers, decoded in processes of their own: `pool` has several, `client` asks one, `process` is one."""
