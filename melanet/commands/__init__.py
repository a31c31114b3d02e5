"""What the subcommands of ``melanet`` do, as functions over folders of images."""
