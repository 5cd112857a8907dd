//! The socket of `serve`.

use crate::exit::{Code, Failure};
use policy::{LoopbackAddr, Plan};
use sandbox::{Clean, LoopbackListener};
use std::io::ErrorKind;

/// The socket that a service manager handed over, or a new one. What is listened on becomes part of the plan.
///
/// # Errors
/// It is taken, not allowed, or not on loopback.
pub fn listen(clean: &mut Clean, plan: &mut Plan, port: Option<u16>) -> Result<LoopbackListener, Failure> {
    if let Some(port) = port {
        plan.listen = LoopbackAddr::parse(&format!("127.0.0.1:{port}"))
            .map_err(|error| Failure::new(Code::Refused, error))?;
    }
    let listener = match clean.take_listener() {
        Some(socket) => LoopbackListener::inherit(socket),
        None => LoopbackListener::bind(plan.listen),
    };
    let listener = listener.map_err(|error| match &error {
        sandbox::Error::Bind { source, .. } | sandbox::Error::Reserve { source, .. }
            if source.kind() == ErrorKind::AddrInUse =>
        {
            let port = plan.listen.port();
            let what = "another program has it (perhaps a second lightproof); stop that one, or choose another port \
                        with --port";
            Failure::new(Code::Busy, format!("port {port} is taken: {what}"))
        }
        sandbox::Error::Bind { source, .. } if source.kind() == ErrorKind::PermissionDenied => {
            let port = plan.listen.port();
            let what = "this user may not listen below port 1024; choose another port with --port";
            Failure::new(Code::Refused, format!("port {port} cannot be used: {what}"))
        }
        sandbox::Error::Bind { .. } | sandbox::Error::Reserve { .. } | sandbox::Error::NotLoopback { .. } => {
            Failure::new(Code::Refused, error)
        }
        _ => error.into(),
    })?;
    plan.listen = listener.addr();
    Ok(listener)
}
