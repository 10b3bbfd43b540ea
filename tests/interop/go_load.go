// Calls a method of gRPC servers until its standard input ends, with some calls in flight all the time. Then prints a line of JSON:
// the number of calls, and of each kind of failure. For restarts_test.py; scripts/fetch-interop.sh builds it.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/health"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
)

const callers = 4

// bytesCodec leaves messages as they are.
type bytesCodec struct{}

func (bytesCodec) Name() string                        { return "proto" }
func (bytesCodec) Marshal(message any) ([]byte, error) { return *message.(*[]byte), nil }
func (bytesCodec) Unmarshal(data []byte, to any) error {
	*to.(*[]byte) = append([]byte(nil), data...)
	return nil
}

// go-load ADDRESS,… SERVICE-CONFIG METHOD FILE: the file has the request.
func main() {
	request, err := os.ReadFile(os.Args[4])
	if err != nil {
		log.Fatal(err)
	}
	addresses := manual.NewBuilderWithScheme("test")
	var state resolver.State
	for _, address := range strings.Split(os.Args[1], ",") {
		state.Addresses = append(state.Addresses, resolver.Address{Addr: address})
	}
	addresses.InitialState(state)
	client, err := grpc.NewClient("test:///servers", grpc.WithResolvers(addresses), grpc.WithDefaultServiceConfig(os.Args[2]),
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.ForceCodec(bytesCodec{})))
	if err != nil {
		log.Fatal(err)
	}

	var lock sync.Mutex
	calls, failures := 0, map[string]int{}
	ended := make(chan struct{})
	var running sync.WaitGroup
	for i := 0; i < callers; i++ {
		running.Add(1)
		go func() {
			defer running.Done()
			for {
				select {
				case <-ended:
					return
				case <-time.After(10 * time.Millisecond):
				}
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				var response []byte
				err := client.Invoke(ctx, os.Args[3], &request, &response)
				cancel()
				lock.Lock()
				calls++
				if err != nil {
					failures[err.Error()]++
				}
				lock.Unlock()
			}
		}()
	}
	io.Copy(io.Discard, os.Stdin)
	close(ended)
	running.Wait()
	line, _ := json.Marshal(map[string]any{"calls": calls, "failures": failures})
	fmt.Println(string(line))
}
