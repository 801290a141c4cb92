//! The options of the command that have to do with proxies in front of it.

use clap::Args;
use servette::server::Builder;
use servette::simple::values;

/// `--trusted-proxy`, and what goes with it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Proxies")]
pub(super) struct ProxyArguments {
    /// Trust forwarded fields from this proxy: an address, a network (10.0.0.0/8), or unix; repeatable
    #[arg(long, value_name = "ADDRESS", value_parser = values::proxy)]
    trusted_proxy: Vec<String>,

    /// Require a PROXY protocol header (version 1 or 2) on each connection, from a trusted proxy
    #[arg(long, requires = "trusted_proxy")]
    proxy_protocol: bool,
}

impl ProxyArguments {
    pub(super) fn apply<H, S>(&self, builder: Builder<H, S>) -> Builder<H, S> {
        builder
            .trusted_proxies(&self.trusted_proxy)
            .proxy_protocol(self.proxy_protocol)
    }
}
