// Command client calls a HelloCNN server in every way that its API has, and checks the responses.
// It prints a line for each case, and exits with 1 if one failed.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	pb "hellocnn.test/client/hellocnnpb"
)

const (
	streamLength = 500
	caseTimeout  = 60 * time.Second
)

var (
	server = flag.String("server", "127.0.0.1:8500", "the address of the server")
	data   = flag.String("data", "data/mnist-test", "the folder with MNIST's test set")
	ca     = flag.String("ca", "", "the authority of the server's certificate; without it, there is no TLS")
	cert   = flag.String("cert", "", "a certificate of this client, with --key")
	key    = flag.String("key", "", "the key of --cert")
	token  = flag.String("token-file", "", "the file with a token, for a server with access control")
	noGzip = flag.Bool("no-gzip", false, "the server rejects compressed requests")
)

func transportCredentials() (credentials.TransportCredentials, error) {
	if *ca == "" {
		return insecure.NewCredentials(), nil
	}
	pem, err := os.ReadFile(*ca)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{RootCAs: x509.NewCertPool()}
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: no certificate", *ca)
	}
	if *cert != "" {
		own, err := tls.LoadX509KeyPair(*cert, *key)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{own}
	}
	return credentials.NewTLS(config), nil
}

// bearer is a token, which goes with each call.
type bearer string

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

// RequireTransportSecurity is true where a network lies between; the tests do without TLS, too.
func (b bearer) RequireTransportSecurity() bool { return false }

// A client has what the cases share.
type client struct {
	service pb.ClassifierServiceClient
	health  healthpb.HealthClient
	digits  []digit
}

func (c *client) images(count int) []*pb.Image {
	images := make([]*pb.Image, count)
	for i := range images {
		images[i] = c.digits[i%len(c.digits)].image
	}
	return images
}

// checkAccuracy fails if fewer digits are right than the model card promises.
func (c *client) checkAccuracy(ctx context.Context, right, count int) error {
	response, err := c.service.GetModel(ctx, &pb.GetModelRequest{})
	if err != nil {
		return err
	}
	share, promised := float64(right)/float64(count), response.Model.GetTestAccuracy()
	if share < promised || promised <= 0.9 {
		return fmt.Errorf("%d of %d are right, and the model card says %v", right, count, promised)
	}
	return nil
}

func (c *client) classify(ctx context.Context, count int, options ...grpc.CallOption) error {
	response, err := c.service.Classify(ctx, &pb.ClassifyRequest{Images: c.images(count)}, options...)
	if err != nil {
		return err
	}
	if len(response.Predictions) != count {
		return fmt.Errorf("%d predictions for %d images", len(response.Predictions), count)
	}
	right := 0
	for i, prediction := range response.Predictions {
		if prediction.ClassIndex == c.digits[i].label {
			right++
		}
	}
	return c.checkAccuracy(ctx, right, count)
}

func (c *client) oneImage(ctx context.Context) error {
	image, label := c.digits[0].image, c.digits[0].label
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	response, err := c.service.Classify(ctx, &pb.ClassifyRequest{Images: []*pb.Image{image}})
	if err != nil {
		return err
	}
	prediction := response.Predictions[0]
	sum := 0.0
	for _, logProbability := range prediction.LogProbabilities {
		sum += math.Exp(float64(logProbability))
	}
	if prediction.Label != fmt.Sprint(label) || math.Abs(sum-1) > 1e-5 {
		return fmt.Errorf("wanted %d, got %v", label, prediction)
	}
	return nil
}

func (c *client) manyImages(ctx context.Context) error { return c.classify(ctx, 64) }

// stream sends from a goroutine of its own, and reads meanwhile: a server that nobody reads from
// stops reading, too.
func (c *client) stream(ctx context.Context) error {
	stream, err := c.service.ClassifyStream(ctx)
	if err != nil {
		return err
	}
	go func() {
		for i, digit := range c.digits {
			request := &pb.ClassifyStreamRequest{Id: uint64(i), Images: []*pb.Image{digit.image}}
			if stream.Send(request) != nil {
				return // Recv returns why
			}
		}
		stream.CloseSend()
	}()
	seen := map[uint64]bool{}
	right := 0
	for {
		response, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if failed := response.GetError(); failed != nil {
			return status.Error(codes.Code(failed.Code), failed.Message)
		}
		seen[response.Id] = true
		if response.GetResult().Predictions[0].ClassIndex == c.digits[response.Id].label {
			right++
		}
	}
	if len(seen) != len(c.digits) {
		return fmt.Errorf("%d responses to %d requests", len(seen), len(c.digits))
	}
	return c.checkAccuracy(ctx, right, len(seen))
}

func (c *client) model(ctx context.Context) error {
	response, err := c.service.GetModel(ctx, &pb.GetModelRequest{})
	if err != nil {
		return err
	}
	model := response.Model
	sum := int64(0)
	for _, layer := range model.Layers {
		sum += layer.ParameterCount
	}
	if model.Version.Name != "mnist" || len(model.ClassLabels) != 10 || sum != model.ParameterCount {
		return fmt.Errorf("unexpected: %v", model)
	}
	return nil
}

func (c *client) healthCheck(ctx context.Context) error {
	for _, name := range []string{"", "hellocnn.v1.ClassifierService"} {
		response, err := c.health.Check(ctx, &healthpb.HealthCheckRequest{Service: name})
		if err != nil {
			return err
		}
		if response.Status != healthpb.HealthCheckResponse_SERVING {
			return fmt.Errorf("%q is %v", name, response.Status)
		}
	}
	_, err := c.health.Check(ctx, &healthpb.HealthCheckRequest{Service: "no.such.Service"})
	return expect(err, codes.NotFound)
}

func (c *client) healthWatch(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watch, err := c.health.Watch(ctx, &healthpb.HealthCheckRequest{})
	if err != nil {
		return err
	}
	response, err := watch.Recv()
	if err != nil {
		return err
	}
	if response.Status != healthpb.HealthCheckResponse_SERVING {
		return fmt.Errorf("the server is %v", response.Status)
	}
	cancel()
	_, err = watch.Recv()
	return expect(err, codes.Canceled)
}

func (c *client) wrongSize(ctx context.Context) error {
	short := &pb.Image{Pixels: &pb.Image_Gray8{Gray8: make([]byte, 1000)}}
	_, err := c.service.Classify(ctx, &pb.ClassifyRequest{Images: []*pb.Image{short}})
	if !strings.Contains(status.Convert(err).Message(), "1024") {
		return fmt.Errorf("the message does not say what is wanted: %w", err)
	}
	return expect(err, codes.InvalidArgument)
}

// deadline asks for as much as the server takes, which it cannot compute in time.
func (c *client) deadline(ctx context.Context) error {
	response, err := c.service.GetModel(ctx, &pb.GetModelRequest{})
	if err != nil {
		return err
	}
	request := &pb.ClassifyRequest{Images: c.images(int(response.Limits.MaxImagesPerRequest))}
	ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	_, err = c.service.Classify(ctx, request)
	return expect(err, codes.DeadlineExceeded)
}

func (c *client) cancellation(ctx context.Context) error {
	cancellable, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.service.ClassifyStream(cancellable)
	if err != nil {
		return err
	}
	if err := stream.Send(&pb.ClassifyStreamRequest{Id: 1, Images: c.images(1)}); err != nil {
		return err
	}
	if _, err := stream.Recv(); err != nil {
		return err
	}
	cancel()
	if _, err := stream.Recv(); expect(err, codes.Canceled) != nil {
		return expect(err, codes.Canceled)
	}
	return c.classify(ctx, 1) // on the same connection
}

func (c *client) gzip(ctx context.Context) error {
	err := c.classify(ctx, 64, grpc.UseCompressor(gzip.Name))
	if *noGzip {
		return expect(err, codes.Unimplemented)
	}
	return err
}

// metadata sends some that the server does not know and must not mind.
func (c *client) metadata(ctx context.Context) error {
	ctx = metadata.AppendToOutgoingContext(ctx,
		"x-request-id", "go-1",
		"x-trace-bin", "\x00\x01\xfe\xff,",
		"x-large", strings.Repeat("m", 4000))
	return c.classify(ctx, 1)
}

func (c *client) tooLarge(ctx context.Context) error {
	response, err := c.service.GetModel(ctx, &pb.GetModelRequest{})
	if err != nil {
		return err
	}
	large := &pb.Image{Pixels: &pb.Image_Gray8{Gray8: make([]byte, response.Limits.MaxMessageBytes)}}
	_, err = c.service.Classify(ctx, &pb.ClassifyRequest{Images: []*pb.Image{large}})
	if err := expect(err, codes.ResourceExhausted); err != nil {
		return err
	}
	return c.classify(ctx, 1) // on the same connection
}

// overload sends more at once than the queue holds. Rejected calls are told when to retry.
func (c *client) overload(ctx context.Context) error {
	response, err := c.service.GetModel(ctx, &pb.GetModelRequest{})
	if err != nil {
		return err
	}
	limits := response.Limits
	request := &pb.ClassifyRequest{Images: c.images(int(limits.MaxImagesPerRequest))}
	const count = 16
	type outcome struct {
		err     error
		trailer metadata.MD
	}
	outcomes := make(chan outcome)
	for range count {
		go func() {
			var trailer metadata.MD
			_, err := c.service.Classify(ctx, request, grpc.Trailer(&trailer))
			outcomes <- outcome{err, trailer}
		}()
	}
	rejected := 0
	var failed error
	for range count {
		ended := <-outcomes
		if ended.err == nil {
			continue
		}
		rejected++
		if err := expect(ended.err, codes.ResourceExhausted); err != nil {
			failed = err
		} else if len(ended.trailer.Get("grpc-retry-pushback-ms")) != 1 {
			failed = fmt.Errorf("no time to retry in %v", ended.trailer)
		}
	}
	if failed == nil && (rejected == 0 || rejected == count) {
		return fmt.Errorf("%d of %d calls were rejected", rejected, count)
	}
	return failed
}

// expect returns an error unless err has the code.
func expect(err error, code codes.Code) error {
	if status.Code(err) != code {
		return fmt.Errorf("wanted %v, got: %v", code, err)
	}
	return nil
}

func run() (failed int, err error) {
	digits, err := readDigits(*data, streamLength)
	if err != nil {
		return 0, err
	}
	creds, err := transportCredentials()
	if err != nil {
		return 0, err
	}
	options := []grpc.DialOption{grpc.WithTransportCredentials(creds)}
	if *token != "" {
		text, err := os.ReadFile(*token)
		if err != nil {
			return 0, err
		}
		options = append(options, grpc.WithPerRPCCredentials(bearer(strings.TrimSpace(string(text)))))
	}
	conn, err := grpc.NewClient(*server, options...)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	c := &client{pb.NewClassifierServiceClient(conn), healthpb.NewHealthClient(conn), digits}

	for _, test := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"health check", c.healthCheck},
		{"one image", c.oneImage},
		{"64 images", c.manyImages},
		{"stream", c.stream},
		{"model", c.model},
		{"health watch", c.healthWatch},
		{"wrong size", c.wrongSize},
		{"deadline", c.deadline},
		{"cancellation", c.cancellation},
		{"gzip", c.gzip},
		{"metadata", c.metadata},
		{"too large", c.tooLarge},
		{"overload", c.overload},
	} {
		ctx, cancel := context.WithTimeout(context.Background(), caseTimeout)
		if err := test.run(ctx); err != nil {
			failed++
			fmt.Printf("failed %s: %v\n", test.name, err)
		} else {
			fmt.Printf("ok %s\n", test.name)
		}
		cancel()
	}
	return failed, nil
}

func main() {
	flag.Parse()
	failed, err := run()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if failed > 0 || err != nil {
		os.Exit(1)
	}
}
