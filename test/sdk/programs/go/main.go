// Owns what the Go SDK must be able to do: one small program each, with a Base and a Drive of its own.
// Prints {name: error or null} as JSON. The data key is in DETA_PROJECT_KEY.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/deta/deta-go/deta"
	"github.com/deta/deta-go/service/base"
	"github.com/deta/deta-go/service/drive"
)

type nested struct {
	Int    int      `json:"int"`
	Bool   bool     `json:"bool"`
	Text   string   `json:"text"`
	List   []string `json:"list"`
	Absent *string  `json:"absent"`
}

type item struct {
	Key    string  `json:"key"`
	Value  string  `json:"value"`
	Nested *nested `json:"nested"`
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func same(actual, expected interface{}) {
	if !reflect.DeepEqual(actual, expected) {
		panic(fmt.Sprintf("got %v, expected %v", actual, expected))
	}
}

func isError(err, kind error) {
	if !errors.Is(err, kind) {
		panic(fmt.Sprintf("got %v, expected %v", err, kind))
	}
}

func items(b *base.Base, _ *drive.Drive) {
	full := item{Key: "a", Value: "x", Nested: &nested{Int: 1, Bool: true, Text: "t", List: []string{"b", "a"}}}
	key, err := b.Put(full)
	check(err)
	same(key, "a")
	var found item
	check(b.Get("a", &found))
	same(found, full)
	key, err = b.Put(map[string]interface{}{"key": "", "value": "made up"})
	check(err)
	same(len(key), 12)
	for _, odd := range []string{"$&+=:@", "a/b?c#d%", " ", ".", ".."} {
		_, err = b.Put(item{Key: odd, Value: odd})
		check(err)
		check(b.Get(odd, &found))
		same(found.Value, odd)
		check(b.Delete(odd))
		isError(b.Get(odd, &found), deta.ErrNotFound)
	}
	_, err = b.Insert(full)
	isError(err, deta.ErrConflict)
	keys, err := b.PutMany([]item{{Key: "b"}, {Key: "c"}})
	check(err)
	same(keys, []string{"b", "c"})
	check(b.Delete("never there"))
}

func updates(b *base.Base, _ *drive.Drive) {
	_, err := b.Put(item{Key: "u", Nested: &nested{Int: 1, List: []string{"b"}}})
	check(err)
	check(b.Update("u", base.Updates{
		"nested.int": b.Util.Increment(2), "nested.bool": true, "nested.text": b.Util.Trim(),
		"nested.list": b.Util.Append([]string{"c"}), "value": "y",
	}))
	check(b.Update("u", base.Updates{"nested.list": b.Util.Prepend("a")}))
	var found item
	check(b.Get("u", &found))
	same(found, item{Key: "u", Value: "y", Nested: &nested{Int: 3, Bool: true, List: []string{"a", "b", "c"}}})
	isError(b.Update("nobody", base.Updates{"value": "x"}), deta.ErrNotFound)
	isError(b.Update("u", base.Updates{"key": "x"}), deta.ErrBadRequest)
	isError(b.Update("u", base.Updates{}), deta.ErrBadRequest)
}

func queries(b *base.Base, _ *drive.Drive) {
	_, err := b.PutMany([]item{{Key: "a", Nested: &nested{Int: 1}}, {Key: "b", Value: "x"}, {Key: "c", Nested: &nested{Int: 2}}})
	check(err)
	var found []item
	last, err := b.Fetch(&base.FetchInput{Q: nil, Dest: &found})
	check(err)
	same([]interface{}{len(found), last}, []interface{}{3, ""})
	_, err = b.Fetch(&base.FetchInput{Q: base.Query{{"nested.int?lte": 2}}, Dest: &found})
	check(err)
	same([]string{found[0].Key, found[1].Key}, []string{"a", "c"})
	last, err = b.Fetch(&base.FetchInput{Q: base.Query{{"nested": nil}, {"nested.int?gt": 0}}, Dest: &found, Limit: 2})
	check(err)
	same(last, "b")
	last, err = b.Fetch(&base.FetchInput{Q: nil, Dest: &found, Limit: 2, LastKey: last})
	check(err)
	same([]interface{}{found[0].Key, last}, []interface{}{"c", ""})
	_, err = b.Fetch(&base.FetchInput{Q: base.Query{{"value?random": 1}}, Dest: &found})
	isError(err, deta.ErrBadRequest)
}

// A few bytes at each Read, so that each becomes a part.
type drops struct{ from io.Reader }

func (d drops) Read(chunk []byte) (int, error) {
	if len(chunk) > 700 {
		chunk = chunk[:700]
	}
	return d.from.Read(chunk)
}

func files(_ *base.Base, d *drive.Drive) {
	put := func(name string, body io.Reader) {
		stored, err := d.Put(&drive.PutInput{Name: name, Body: body, ContentType: "text/plain"})
		check(err)
		same(stored, name)
	}
	get := func(name string) string {
		body, err := d.Get(name)
		check(err)
		defer body.Close()
		content, err := io.ReadAll(body)
		check(err)
		return string(content)
	}
	many := strings.Repeat("0123456789abcdefghij", 5000)
	put("tiny parts", drops{strings.NewReader(many)})
	same(get("tiny parts") == many, true)
	put("c/d+e &%.txt", strings.NewReader("x\r\ny"))
	same(get("c/d+e &%.txt"), "x\r\ny")
	put("empty", bytes.NewReader(nil))
	same(get("empty"), "")
	_, err := d.Get("nothing")
	isError(err, deta.ErrNotFound)
	listed, err := d.List(2, "", "")
	check(err)
	same(listed.Names, []string{"c/d+e &%.txt", "empty"})
	same([]interface{}{listed.Paging.Size, *listed.Paging.Last}, []interface{}{2, "empty"})
	listed, err = d.List(1000, "c/d+e &", "")
	check(err)
	same(listed.Names, []string{"c/d+e &%.txt"})
	same(listed.Paging == nil, true)
	deleted, err := d.Delete("empty")
	check(err)
	same(deleted, "empty")
	answer, err := d.DeleteMany([]string{"tiny parts", "", "nobody"})
	check(err)
	same(answer.Deleted, []string{"tiny parts", "nobody"})
	same(answer.Failed, map[string]string{"": "invalid name"})
}

func outcome(name string, run func(*base.Base, *drive.Drive)) (failure interface{}) {
	defer func() {
		if reason := recover(); reason != nil {
			failure = fmt.Sprint(reason)
		}
	}()
	cloud, err := deta.New()
	check(err)
	label := fmt.Sprintf("go-%s-%d", name, time.Now().UnixNano())
	b, err := base.New(cloud, label)
	check(err)
	d, err := drive.New(cloud, label)
	check(err)
	run(b, d)
	return nil
}

func main() {
	results := map[string]interface{}{}
	for name, run := range map[string]func(*base.Base, *drive.Drive){"items": items, "updates": updates, "queries": queries, "files": files} {
		results[name] = outcome(name, run)
	}
	check(json.NewEncoder(os.Stdout).Encode(results))
}
