//! The options of the command line.

use std::{error::Error, fs};

use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Status};

pub struct Options {
    pub server: String,
    pub data: String,
    pub ca: Option<String>,
    pub cert: Option<String>,
    pub key: Option<String>,
    pub token_file: Option<String>,
    pub no_gzip: bool,
}

/// Sends a token with each call, if there is one.
#[derive(Clone)]
pub struct Bearer(Option<MetadataValue<Ascii>>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request
                .metadata_mut()
                .insert("authorization", token.clone());
        }
        Ok(request)
    }
}

impl Options {
    /// Reads `--server`, its address; `--data`, the folder with MNIST's test set; `--ca`, the authority
    /// of the server's certificate, without which there is no TLS; `--cert` and `--key`, a certificate
    /// of this client; `--token-file`, that of a token for a server with access control; `--no-gzip`, if
    /// the server rejects compressed requests.
    pub fn parse() -> Result<Options, Box<dyn Error>> {
        let mut options = Options {
            server: "127.0.0.1:8500".into(),
            data: "data/mnist-test".into(),
            ca: None,
            cert: None,
            key: None,
            token_file: None,
            no_gzip: false,
        };
        let mut words = std::env::args().skip(1);
        while let Some(name) = words.next() {
            let mut value = || words.next().ok_or(format!("{name} has no value"));
            match name.as_str() {
                "--server" => options.server = value()?,
                "--data" => options.data = value()?,
                "--ca" => options.ca = Some(value()?),
                "--cert" => options.cert = Some(value()?),
                "--key" => options.key = Some(value()?),
                "--token-file" => options.token_file = Some(value()?),
                "--no-gzip" => options.no_gzip = true,
                _ => return Err(format!("unknown option {name}").into()),
            }
        }
        Ok(options)
    }

    pub fn bearer(&self) -> Result<Bearer, Box<dyn Error>> {
        let Some(file) = &self.token_file else {
            return Ok(Bearer(None));
        };
        let token = fs::read_to_string(file)?;
        Ok(Bearer(Some(format!("Bearer {}", token.trim()).parse()?)))
    }

    pub fn endpoint(&self) -> Result<Endpoint, Box<dyn Error>> {
        let Some(ca) = &self.ca else {
            return Ok(Channel::from_shared(format!("http://{}", self.server))?);
        };
        let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(fs::read(ca)?));
        if let (Some(cert), Some(key)) = (&self.cert, &self.key) {
            tls = tls.identity(Identity::from_pem(fs::read(cert)?, fs::read(key)?));
        }
        Ok(Channel::from_shared(format!("https://{}", self.server))?.tls_config(tls)?)
    }
}
