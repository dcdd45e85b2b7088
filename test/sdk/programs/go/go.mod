module sdk

go 1.21

require github.com/deta/deta-go v1.0.0
