// Decodes every document of the named YAML files into Kubernetes' own types and refuses unknown fields, wrong types and duplicates.
// Custom resources (group with a dot that Kubernetes does not have) are named and skipped. One line for each document; exit code 1
// when one is wrong.
package main

import (
	"bytes"
	"fmt"
	"os"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"
)

func main() {
	strict := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	failed := false
	for _, file := range os.Args[1:] {
		content, err := os.ReadFile(file)
		if err != nil {
			fmt.Println("error", file, err)
			os.Exit(2)
		}
		for number, document := range bytes.Split(append([]byte("\n"), content...), []byte("\n---\n")) {
			var head struct {
				APIVersion string `json:"apiVersion"`
				Kind       string `json:"kind"`
				Metadata   struct {
					Name string `json:"name"`
				} `json:"metadata"`
			}
			if len(bytes.TrimSpace(document)) == 0 {
				continue
			}
			if err := yaml.Unmarshal(document, &head); err != nil {
				fmt.Printf("error %s[%d] %v\n", file, number, err)
				failed = true
				continue
			}
			_, _, err := strict.Decode(document, nil, nil)
			switch {
			case err == nil:
				fmt.Printf("ok %s %s %s\n", head.APIVersion, head.Kind, head.Metadata.Name)
			case runtime.IsNotRegisteredError(err):
				fmt.Printf("custom %s %s %s\n", head.APIVersion, head.Kind, head.Metadata.Name)
			default:
				fmt.Printf("error %s[%d] %s %s: %v\n", file, number, head.Kind, head.Metadata.Name, err)
				failed = true
			}
		}
	}
	if failed {
		os.Exit(1)
	}
}
