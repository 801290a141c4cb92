package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	body, err := os.Open(os.Args[2])
	check(err)
	info, err := body.Stat()
	check(err)
	request, err := http.NewRequest("POST", os.Args[1], body)
	check(err)
	request.ContentLength = info.Size()
	if len(os.Args) > 3 {
		request.Header.Set("Expect", "100-continue")
	}
	response, err := http.DefaultClient.Do(request)
	check(err)
	text, err := io.ReadAll(response.Body)
	check(err)
	fmt.Printf("%d\n%s", response.StatusCode, text)
}
