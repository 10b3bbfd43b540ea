//! Calls a HelloCNN server in every way that its API has, and checks the responses.
//! Prints a line for each case, and exits with 1 if one failed.

mod digits;
mod options;

/// The stubs that build.rs generates.
pub mod pb {
    tonic::include_proto!("hellocnn.v1");
}

use std::{collections::HashMap, error::Error, path::Path, process::ExitCode, time::Duration};

use tokio::time::timeout;
use tokio_stream::StreamExt;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use digits::Digit;
use options::{Bearer, Options};
use pb::classifier_service_client::ClassifierServiceClient;
use pb::classify_stream_response::Outcome;
use pb::{
    ClassifyRequest, ClassifyResponse, ClassifyStreamRequest, GetModelRequest, GetModelResponse,
    Image, image::Pixels,
};

const STREAM_LENGTH: usize = 500;
const CASE_TIMEOUT: Duration = Duration::from_secs(60);

type CaseResult = Result<(), Box<dyn Error>>;

/// Fails unless the condition holds.
fn check(condition: bool, message: impl Into<String>) -> CaseResult {
    if condition {
        Ok(())
    } else {
        Err(message.into().into())
    }
}

/// Fails unless the call failed with the code. Returns its status.
fn expect<T>(code: Code, result: Result<T, Status>) -> Result<Status, Box<dyn Error>> {
    match result {
        Err(status) if status.code() == code => Ok(status),
        Err(status) => Err(format!("wanted {code:?}, got {status}").into()),
        Ok(_) => Err(format!("wanted {code:?}, got a response").into()),
    }
}

/// What the cases share. Clones of the clients use the same connection.
struct Cases {
    service: ClassifierServiceClient<InterceptedService<Channel, Bearer>>,
    health: HealthClient<InterceptedService<Channel, Bearer>>,
    digits: Vec<Digit>,
    inflates: bool,
}

impl Cases {
    fn images(&self, count: usize) -> Vec<Image> {
        self.digits
            .iter()
            .cycle()
            .take(count)
            .map(|digit| digit.image.clone())
            .collect()
    }

    async fn describe(&self) -> Result<GetModelResponse, Status> {
        Ok(self
            .service
            .clone()
            .get_model(GetModelRequest::default())
            .await?
            .into_inner())
    }

    /// As many must be right as the model card promises.
    async fn check_accuracy(&self, right: usize, count: usize) -> CaseResult {
        let promised = self
            .describe()
            .await?
            .model
            .unwrap_or_default()
            .test_accuracy();
        check(
            promised > 0.9 && right as f64 / count as f64 >= promised,
            format!("{right} of {count} are right, and the model card says {promised}"),
        )
    }

    async fn check_response(
        &self,
        count: usize,
        response: Response<ClassifyResponse>,
    ) -> CaseResult {
        let predictions = response.into_inner().predictions;
        check(
            predictions.len() == count,
            format!("{} predictions", predictions.len()),
        )?;
        let pairs = predictions.iter().zip(&self.digits);
        let right = pairs.filter(|(prediction, digit)| prediction.class_index == digit.label);
        self.check_accuracy(right.count(), count).await
    }

    async fn classify(&self, count: usize) -> CaseResult {
        let request = ClassifyRequest {
            images: self.images(count),
            ..Default::default()
        };
        let response = self.service.clone().classify(request).await?;
        self.check_response(count, response).await
    }

    async fn one_image(&self) -> CaseResult {
        let mut service = self.service.clone();
        let Digit { image, label } = &self.digits[0];
        let mut request = Request::new(ClassifyRequest {
            images: vec![image.clone()],
            ..Default::default()
        });
        request.set_timeout(Duration::from_secs(10));
        let response = service.classify(request).await?.into_inner();
        let prediction = &response.predictions[0];
        check(
            prediction.label == label.to_string(),
            format!("wanted {label}, got {prediction:?}"),
        )?;
        let sum: f32 = prediction.log_probabilities.iter().map(|p| p.exp()).sum();
        check(
            (sum - 1.0).abs() < 1e-5,
            format!("probabilities sum to {sum}"),
        )
    }

    async fn many_images(&self) -> CaseResult {
        self.classify(64).await
    }

    async fn stream(&self) -> CaseResult {
        let requests: Vec<_> = (0..)
            .zip(self.images(STREAM_LENGTH))
            .map(|(id, image)| ClassifyStreamRequest {
                id,
                images: vec![image],
                ..Default::default()
            })
            .collect();
        let call = self
            .service
            .clone()
            .classify_stream(tokio_stream::iter(requests))
            .await?;
        let mut responses = call.into_inner();
        let mut classes = HashMap::new();
        while let Some(response) = responses.next().await {
            let response = response?;
            match response.outcome {
                Some(Outcome::Result(result)) => {
                    classes.insert(response.id as usize, result.predictions[0].class_index)
                }
                other => return Err(format!("no result: {other:?}").into()),
            };
        }
        check(
            classes.len() == STREAM_LENGTH,
            format!("{} responses", classes.len()),
        )?;
        let right = classes
            .iter()
            .filter(|&(&id, &class)| class == self.digits[id].label)
            .count();
        self.check_accuracy(right, classes.len()).await
    }

    async fn model(&self) -> CaseResult {
        let model = self.describe().await?.model.ok_or("no model")?;
        let parameters: i64 = model.layers.iter().map(|layer| layer.parameter_count).sum();
        let named = model
            .version
            .as_ref()
            .is_some_and(|version| version.name == "mnist");
        check(
            named && model.class_labels.len() == 10 && parameters == model.parameter_count,
            format!("unexpected: {model:?}"),
        )
    }

    async fn health_check(&self) -> CaseResult {
        let mut health = self.health.clone();
        for service in ["", "hellocnn.v1.ClassifierService"] {
            let request = HealthCheckRequest {
                service: service.into(),
            };
            let status = health.check(request).await?.into_inner().status();
            check(
                status == ServingStatus::Serving,
                format!("{service:?} is {status:?}"),
            )?;
        }
        let request = HealthCheckRequest {
            service: "no.such.Service".into(),
        };
        expect(Code::NotFound, health.check(request).await).map(drop)
    }

    /// To drop a stream cancels its call.
    async fn health_watch(&self) -> CaseResult {
        let request = HealthCheckRequest::default();
        let mut watch = self.health.clone().watch(request).await?.into_inner();
        let first = watch.message().await?.ok_or("no message")?;
        check(
            first.status() == ServingStatus::Serving,
            format!("it is {:?}", first.status()),
        )?;
        drop(watch);
        self.classify(1).await // on the same connection
    }

    async fn wrong_size(&self) -> CaseResult {
        let short = Image {
            pixels: Some(Pixels::Gray8(vec![0; 1000])),
        };
        let request = ClassifyRequest {
            images: vec![short],
            ..Default::default()
        };
        let status = expect(
            Code::InvalidArgument,
            self.service.clone().classify(request).await,
        )?;
        check(status.message().contains("1024"), status.message())
    }

    /// Asks for as much as the server takes, which it cannot compute in time. At the deadline, tonic
    /// itself ends the call with CANCELLED; the server's DEADLINE_EXCEEDED may come before.
    async fn deadline(&self) -> CaseResult {
        let limits = self.describe().await?.limits.ok_or("no limits")?;
        let images = self.images(limits.max_images_per_request as usize);
        let mut request = Request::new(ClassifyRequest {
            images,
            ..Default::default()
        });
        request.set_timeout(Duration::from_millis(1));
        match self.service.clone().classify(request).await {
            Err(status)
                if status.code() == Code::Cancelled && status.message() == "Timeout expired" =>
            {
                Ok(())
            }
            result => expect(Code::DeadlineExceeded, result).map(drop),
        }
    }

    async fn cancellation(&self) -> CaseResult {
        let request = ClassifyStreamRequest {
            id: 1,
            images: self.images(1),
            ..Default::default()
        };
        let endless = tokio_stream::once(request).chain(tokio_stream::pending());
        let mut stream = self
            .service
            .clone()
            .classify_stream(endless)
            .await?
            .into_inner();
        check(stream.message().await?.is_some(), "no response")?;
        drop(stream);
        self.classify(1).await // on the same connection
    }

    async fn gzip(&self) -> CaseResult {
        let compressing = self.service.clone();
        let mut compressing = compressing.send_compressed(Gzip).accept_compressed(Gzip);
        let request = ClassifyRequest {
            images: self.images(64),
            ..Default::default()
        };
        let result = compressing.classify(request).await;
        if !self.inflates {
            return expect(Code::Unimplemented, result).map(drop);
        }
        let response = result?;
        let encoding = response.metadata().get("grpc-encoding").cloned();
        check(
            encoding.is_some_and(|name| name == "gzip"),
            "the response is not compressed",
        )?;
        self.check_response(64, response).await
    }

    /// Sends some that the server does not know and must not mind.
    async fn metadata(&self) -> CaseResult {
        let mut request = Request::new(ClassifyRequest {
            images: self.images(1),
            ..Default::default()
        });
        let metadata: &mut MetadataMap = request.metadata_mut();
        metadata.insert("x-request-id", "rust-1".parse()?);
        metadata.insert_bin("x-trace-bin", MetadataValue::from_bytes(b"\0\x01\xfe\xff,"));
        metadata.insert("x-large", "m".repeat(4000).parse()?);
        let response = self.service.clone().classify(request).await?;
        self.check_response(1, response).await
    }

    async fn too_large(&self) -> CaseResult {
        let limits = self.describe().await?.limits.ok_or("no limits")?;
        let large = Image {
            pixels: Some(Pixels::Gray8(vec![0; limits.max_message_bytes as usize])),
        };
        let request = ClassifyRequest {
            images: vec![large],
            ..Default::default()
        };
        expect(
            Code::ResourceExhausted,
            self.service.clone().classify(request).await,
        )?;
        self.classify(1).await // on the same connection
    }

    /// Sends more at once than the queue holds. Rejected calls are told when to retry.
    async fn overload(&self) -> CaseResult {
        let limits = self.describe().await?.limits.ok_or("no limits")?;
        let request = ClassifyRequest {
            images: self.images(limits.max_images_per_request as usize),
            ..Default::default()
        };
        let count = 16;
        let mut calls = tokio::task::JoinSet::new();
        for _ in 0..count {
            let (mut service, request) = (self.service.clone(), request.clone());
            calls.spawn(async move { service.classify(request).await });
        }
        let mut rejected = 0;
        for result in calls.join_all().await.into_iter().filter(Result::is_err) {
            rejected += 1;
            let status = expect(Code::ResourceExhausted, result)?;
            check(
                status.metadata().contains_key("grpc-retry-pushback-ms"),
                "no time to retry",
            )?;
        }
        check(
            0 < rejected && rejected < count,
            format!("{rejected} of {count} calls were rejected"),
        )
    }

    async fn run(&self, name: &str) -> CaseResult {
        match name {
            "one image" => self.one_image().await,
            "64 images" => self.many_images().await,
            "stream" => self.stream().await,
            "model" => self.model().await,
            "health check" => self.health_check().await,
            "health watch" => self.health_watch().await,
            "wrong size" => self.wrong_size().await,
            "deadline" => self.deadline().await,
            "cancellation" => self.cancellation().await,
            "gzip" => self.gzip().await,
            "metadata" => self.metadata().await,
            "too large" => self.too_large().await,
            "overload" => self.overload().await,
            _ => unreachable!("{name}"),
        }
    }
}

const NAMES: [&str; 13] = [
    "health check",
    "one image",
    "64 images",
    "stream",
    "model",
    "health watch",
    "wrong size",
    "deadline",
    "cancellation",
    "gzip",
    "metadata",
    "too large",
    "overload",
];

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let options = Options::parse()?;
    let channel = options.endpoint()?.connect_lazy();
    let cases = Cases {
        service: ClassifierServiceClient::with_interceptor(channel.clone(), options.bearer()?),
        health: HealthClient::with_interceptor(channel, options.bearer()?),
        digits: digits::read(Path::new(&options.data), STREAM_LENGTH)?,
        inflates: !options.no_gzip,
    };
    let mut code = ExitCode::SUCCESS;
    for name in NAMES {
        match timeout(CASE_TIMEOUT, cases.run(name)).await {
            Ok(Ok(())) => println!("ok {name}"),
            Ok(Err(error)) => {
                code = ExitCode::FAILURE;
                println!("failed {name}: {error}");
            }
            Err(_) => {
                code = ExitCode::FAILURE;
                println!("failed {name}: not within {CASE_TIMEOUT:?}");
            }
        }
    }
    Ok(code)
}
