// A peer: net/http/cgi of the Go standard library.
package main

import (
	"net/http"
	"net/http/cgi"
	"os"
)

func main() {
	handler := &cgi.Handler{Path: os.Args[2], Root: "/cgi-bin/hello"}
	if err := http.ListenAndServe("127.0.0.1:"+os.Args[1], handler); err != nil {
		panic(err)
	}
}
