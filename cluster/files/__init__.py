"""The files that start a cluster: for the KubeRay operator, for Ray's launcher on AWS, for Docker Compose.

`targets` is the entrance: it renders the files of a target and lists the commands to type. One module holds each target
(`kuberay`, `aws`, `compose`); the others hold what targets share. They import PyYAML and, of `cluster`, only
`environment`; nothing here talks to a cluster. `jobs.render_cluster` imports `targets` and `text`. `jobs.settings`
imports `files_config`, which needs the standard library alone; therefore this file imports nothing.
"""
