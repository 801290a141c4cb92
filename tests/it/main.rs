//! Promises of the crate, each kept against real sockets and real programs.

mod cgi;
mod cgi_client;
mod cgi_command;
mod cgi_environment;
mod cgi_faults;
mod cgi_languages;
mod cgi_python;
mod cgi_site;
