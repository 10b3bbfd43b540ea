// Generates the stubs. HELLOCNN_PROTOS is the folder with hellocnn/v1.
fn main() {
    println!("cargo::rerun-if-env-changed=HELLOCNN_PROTOS");
    let protos = std::env::var("HELLOCNN_PROTOS").expect("HELLOCNN_PROTOS is not set");
    tonic_prost_build::configure()
        .build_server(false)
        .compile_protos(
            &[format!("{protos}/hellocnn/v1/classifier_service.proto")],
            &[protos],
        )
        .expect("protoc failed");
}
