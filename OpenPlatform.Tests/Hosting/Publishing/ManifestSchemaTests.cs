using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using OpenPlatform.Tests.Architecture;
using OpenPlatform.Tests.Gateway.Protocols;

namespace OpenPlatform.Tests.Hosting.Publishing;

/// <summary>The manifest of the AppHost, from which azd makes a deployment of its own: valid against its schema for a validator that nobody here wrote, and complete.</summary>
public sealed partial class ManifestSchemaTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("manifest-");

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task The_manifest_is_valid_and_a_planted_mistake_is_not()
    {
        NodePeers.Require("npm");
        await PeerTests.RunAsync("npm", "install", "--prefix", _folder.FullName, "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--loglevel=error", "ajv@8.20.0");
        var validator = Path.Combine(_folder.FullName, "validate.js");
        await File.WriteAllTextAsync(validator, """
            const read = file => JSON.parse(require('fs').readFileSync(file, 'utf8'));
            const validate = new (require('ajv'))({ allErrors: true }).compile(read(process.argv[2]));
            for (const file of process.argv.slice(3)) console.log(validate(read(file)) ? 'valid' : validate.errors.map(e => e.instancePath + ' ' + e.message).join('; '));
            """, Stop);
        var manifest = await ManifestAsync();
        var files = new List<string> { await FileAsync(manifest) };
        foreach (var spoil in (Action<JsonObject>[])
        [
            static r => r["gateway"]!["replicas"] = 3,
            static r => r["gateway"]!.AsObject().Remove("path"),
            static r => r["gateway"]!["bindings"]!["http"]!["transport"] = "pigeon",
            static r => r["gateway"]!["env"]!["NUMBER"] = 1,
            static r => r["redis"]!["volumes"]![0]!.AsObject().Remove("target"),
            static r => r["admin-token"]!["inputs"]!["value"]!["default"]!["generate"]!.AsObject().Remove("minLength"),
            static r => r["catalogdb"]!["type"] = "value.v9",
        ])
        {
            var spoilt = manifest.DeepClone().AsObject();
            spoil(spoilt["resources"]!.AsObject());
            files.Add(await FileAsync(spoilt));
        }

        var schema = Path.Combine(Repository.Root, "OpenPlatform.Tests", "Hosting", "Publishing", "Support", "manifest.schema.json");
        var answers = (await PeerTests.RunAsync("node", [validator, schema, .. files])).Split('\n', StringSplitOptions.RemoveEmptyEntries);

        Assert.Equal(files.Count, answers.Length);
        Assert.Equal("valid", answers[0]);
        Assert.All(answers.Skip(1), static answer => Assert.NotEqual("valid", answer));
    }

    [Fact]
    public async Task Azd_finds_the_AppHost_and_in_its_manifest_all_that_AppHost_cs_says()
    {
        Assert.Equal("true", (await PeerTests.RunAsync("dotnet", "msbuild", Path.Combine(Repository.Root, "OpenPlatform.AppHost"), "-getProperty:IsAspireHost")).Trim());

        await using var builder = await BuilderAsync();
        var resources = (await ManifestAsync())["resources"]!.AsObject();
        foreach (var resource in builder.Resources.Where(static r => r is IComputeResource))
        {
            var entry = resources[resource.Name]!;
            Assert.Equal(resource is ProjectResource ? "project.v0" : "container.v0", (string?)entry["type"]);
            if (resource is ProjectResource)
            {
                Assert.True(File.Exists(Path.GetFullPath((string)entry["path"]!, _folder.FullName)), $"{entry["path"]} is no project.");
            }

            Assert.Equal(resource.Annotations.OfType<EndpointAnnotation>().Select(static e => (e.Name, e.IsExternal)), entry["bindings"]!.AsObject().Select(static b => (b.Key, (bool?)b.Value!["external"] == true)));
            Assert.Equal(resource.Annotations.OfType<ContainerMountAnnotation>().Select(static m => m.Target), (entry["volumes"] as JsonArray ?? []).Select(static v => (string?)v!["target"]));
        }

        // Orders would make known an address at which nobody can reach it there.
        Assert.DoesNotContain("OpenPlatform__Leases__Key", resources["orders"]!["env"]!.AsObject().Select(static v => v.Key));
        Assert.Equal("{orders.bindings.http.url}", (string?)resources["gateway"]!["env"]!["services__orders__http__0"]);

        // The private port is nobody's business but the machine's own, so no binding leads to it and it stays on the loopback.
        var gateway = resources["gateway"]!;
        Assert.Equal(["http", "https"], gateway["bindings"]!.AsObject().Select(static b => b.Key));
        Assert.DoesNotContain(gateway["env"]!.AsObject(), static v => v.Key.Contains("PrivatePort", StringComparison.Ordinal));
    }

    /// <summary>What azd refuses when it turns a manifest into container apps.</summary>
    [Fact]
    public async Task Azd_can_make_an_ingress_of_every_binding_and_finds_no_secret_in_an_argument()
    {
        var resources = (await ManifestAsync())["resources"]!.AsObject();
        var bindings = resources.SelectMany(static r => (r.Value!["bindings"] as JsonObject ?? []).Select(b => (Owner: r.Key, Binding: b.Value!))).ToArray();

        Assert.NotEmpty(bindings);
        Assert.All(bindings, static b =>
        {
            var http = (string?)b.Binding["scheme"] is "http" or "https";
            Assert.True(http || b.Binding["targetPort"] is not null, "A binding that is not http needs the port of its container.");
            Assert.False(!http && (bool?)b.Binding["external"] == true, "Only http can be external.");
            Assert.True(!http || b.Binding["port"] is null || (int)b.Binding["port"]! is 80 or 443, "The main ingress has ports 80 and 443.");
        });
        Assert.All(bindings.Where(static b => (bool?)b.Binding["external"] == true).GroupBy(static b => b.Owner), static owner =>
            Assert.Single(owner.Select(static b => (int?)b.Binding["targetPort"]).Distinct()));
        Assert.All(resources.SelectMany(static r => r.Value!["args"] as JsonArray ?? []), static a => Assert.DoesNotMatch(@"\{[\w.-]+\}", (string)a!));
    }

    [Fact]
    public async Task Every_expression_leads_to_something_and_every_secret_is_an_input()
    {
        var manifest = await ManifestAsync("--Parameters:admin-token=SENTINEL0123456789");
        var resources = manifest["resources"]!.AsObject();
        var expressions = Expression().Matches(manifest.ToJsonString()).Select(static m => m.Groups["path"].Value).Distinct().ToArray();

        Assert.DoesNotContain("SENTINEL", manifest.ToJsonString(), StringComparison.Ordinal);
        Assert.True(expressions.Length > 20);
        Assert.All(expressions, path =>
        {
            var found = path.Split('.') switch
            {
                // What a binding has there is decided by whoever deploys.
                [var name, "bindings", var binding, "url" or "host" or "port" or "targetPort" or "scheme"] => Manifest.In(resources, name, "bindings", binding),
                [var name, "inputs", var input] => Manifest.In(resources, name, "inputs", input),
                [var name, var property] => Manifest.In(resources, name, property),
                _ => null,
            };
            Assert.True(found is not null, $"{{{path}}} leads nowhere.");
        });

        await using var builder = await BuilderAsync();
        Assert.All(builder.Resources.OfType<ParameterResource>().Where(static p => p.Secret && !p.IsExcludedFromPublish()), p => Assert.True((bool)Manifest.In(resources, p.Name, "inputs", "value", "secret")!));
        Assert.All(resources.Where(static r => (string?)r.Value!["type"] == "parameter.v0"), static r => Assert.Equal($"{{{r.Key}.inputs.value}}", (string?)r.Value!["value"]));
    }

    private async Task<JsonObject> ManifestAsync(params string[] args)
    {
        var file = Path.Combine(_folder.FullName, "aspire-manifest.json");
        await using var builder = await BuilderAsync(["--publisher", "manifest", "--output-path", file, .. args]);
        await using var app = builder.Build();
        await app.RunAsync(Stop).WaitAsync(TimeSpan.FromSeconds(60), Stop);
        return JsonNode.Parse(await File.ReadAllTextAsync(file, Stop))!.AsObject();
    }

    private static async Task<IDistributedApplicationTestingBuilder> BuilderAsync(params string[] args) =>
        await DistributedApplicationTestingBuilder.CreateAsync<Projects.OpenPlatform_AppHost>(args.Length == 0 ? ["--operation", "publish"] : args, Stop);

    private async Task<string> FileAsync(JsonObject manifest)
    {
        var file = Path.Combine(_folder.FullName, $"{Guid.NewGuid():n}.json");
        await File.WriteAllTextAsync(file, manifest.ToJsonString(), Stop);
        return file;
    }

    [GeneratedRegex(@"\{(?<path>[a-z][\w-]*(\.[\w-]+)+)\}", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Expression();
}
