package daemon

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/scoreflow/scoreflow/pkg/product"
)

const productsKey = "products"

// File is the configuration file, and what can stand only there. Embed it in the grammar of a process that has one.
type File struct {
	Config   string          `help:"Configuration file, YAML: the products, and any flag by its name with _ for -." placeholder:"FILE"`
	Products product.Catalog `kong:"-"` // with their defaults; nil when there is no file, or none in it
}

// BeforeResolve is called by kong, before it asks for the values of flags that are not on the command line.
func (f *File) BeforeResolve(ctx *kong.Context, values *fileValues) error {
	path := os.Getenv(environmentName("config"))
	known := map[string]bool{}
	for _, flag := range ctx.Flags() {
		if fromArgs, _ := ctx.FlagValue(flag).(string); flag.Name == "config" && fromArgs != "" {
			path = fromArgs
		}
		known[fileKey(flag.Name)] = resolvable(flag) && flag.Name != "config"
	}
	if path == "" {
		return nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("--config: %w", err)
	}
	if err := f.read(content, known, values); err != nil {
		return located(path, err)
	}
	return nil
}

func (f *File) read(content []byte, known map[string]bool, values *fileValues) error {
	file, err := parser.ParseBytes(content, 0)
	if err != nil {
		return err
	}
	if len(file.Docs) > 1 {
		return errors.New("there is more than one document in it")
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return nil
	}
	body := file.Docs[0].Body
	root, ok := body.(ast.MapNode)
	if !ok {
		return problem(body, "this is not a mapping of settings")
	}
	values.byKey = map[string]string{}
	for settings := root.MapRange(); settings.Next(); {
		key, value := settings.Key().GetToken().Value, settings.Value()
		scalar, single := value.(ast.ScalarNode)
		switch {
		case key == productsKey:
			if err := f.readProducts(value); err != nil {
				return err
			}
		case !known[key]:
			return problem(settings.Key(), "unknown setting %q", key)
		case value.Type() == ast.NullType:
		case !single:
			return problem(value, "%s is not a single value", key)
		default:
			values.byKey[key] = fmt.Sprint(scalar.GetValue())
		}
	}
	return nil
}

func (f *File) readProducts(node ast.Node) error {
	products, ok := node.(ast.MapNode)
	if !ok {
		return problem(node, "%s is not a mapping of products by name", productsKey)
	}
	f.Products = product.Catalog{}
	for each := products.MapRange(); each.Next(); {
		var p product.Product
		name := each.Key().GetToken().Value
		err := yaml.NodeToValue(each.Value(), &p, yaml.Strict())
		var placed yaml.Error
		if err != nil && !errors.As(err, &placed) {
			return problem(each.Value(), "%s.%s: %v", productsKey, name, err)
		}
		if err != nil {
			return err
		}
		f.Products[name] = p
	}
	f.Products = f.Products.WithDefaults()
	return nil
}

// problem is an error at the place of node.
func problem(node ast.Node, format string, args ...any) error {
	return &yaml.SyntaxError{Message: fmt.Sprintf(format, args...), Token: node.GetToken()}
}

// located is err in one line that begins with file and line, as compilers do it.
func located(path string, err error) error {
	var placed yaml.Error
	if errors.As(err, &placed) && placed.GetToken() != nil {
		return fmt.Errorf("%s:%d: %s", path, placed.GetToken().Position.Line, placed.GetMessage())
	}
	return fmt.Errorf("%s: %w", path, err)
}

// fileValues is the resolver of what stands in the file.
type fileValues struct{ byKey map[string]string }

// Validate has nothing to do: File checked the keys when it read them.
func (*fileValues) Validate(*kong.Application) error { return nil }

// Resolve is asked once for each flag.
func (v *fileValues) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if value, ok := v.byKey[fileKey(flag.Name)]; ok {
		return value, nil
	}
	return nil, nil
}

// fromEnvironment is the resolver of what stands in the environment, where empty means not set.
func fromEnvironment(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if value := os.Getenv(environmentName(flag.Name)); value != "" && resolvable(flag) {
		return value, nil
	}
	return nil, nil
}

// resolvable says whether flag is a setting, not a wish to be told something.
func resolvable(flag *kong.Flag) bool { return flag.Name != "help" && flag.Name != "version" }

func fileKey(flag string) string { return strings.ReplaceAll(flag, "-", "_") }

func environmentName(flag string) string { return "SCOREFLOW_" + strings.ToUpper(fileKey(flag)) }
