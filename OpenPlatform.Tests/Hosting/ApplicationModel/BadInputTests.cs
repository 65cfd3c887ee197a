using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using OpenPlatform.Hosting;

namespace OpenPlatform.Tests.Hosting.ApplicationModel;

/// <summary>Every mistake is told by the resource and the field it is in.</summary>
public sealed class BadInputTests
{
    [Theory]
    [InlineData("1api", "begin with an ASCII letter")]
    [InlineData("my_api", "letters, digits and hyphens")]
    [InlineData("a--b", "two hyphens")]
    [InlineData("api-", "end with a hyphen")]
    [InlineData("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "longer than 64")]
    public void A_wrong_resource_name(string name, string reason)
    {
        var error = Assert.Throws<ArgumentException>(() => Apps.Running().AddParameter(name));
        Assert.Contains($"'{name}'", error.Message, StringComparison.Ordinal);
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_name_that_is_taken_also_in_other_case()
    {
        var builder = Apps.Running();
        builder.AddParameter("orders");
        var error = Assert.Throws<DistributedApplicationException>(() => builder.AddContainer("Orders", "image"));
        Assert.Contains("'Orders' is taken by a resource of type ParameterResource", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    public void Fewer_replicas_than_one(int replicas)
    {
        using var project = Apps.Project();
        var api = Apps.Running().AddProject("api", project.Path);
        Assert.Contains("'api' needs at least 1 replica", Assert.Throws<ArgumentOutOfRangeException>(() => api.WithReplicas(replicas)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Ports_that_do_not_exist() =>
        Assert.Contains("Port of endpoint 'http' must lie between 1 and 65535", Assert.Throws<ArgumentOutOfRangeException>(() => Apps.Running().AddContainer("c", "i").WithHttpEndpoint(port: 70000)).Message, StringComparison.Ordinal);

    [Fact]
    public void A_project_file_that_is_not_there() =>
        Assert.Contains("of resource 'api' does not exist", Assert.Throws<DistributedApplicationException>(() => Apps.Running().AddProject("api", "nowhere/Api.csproj")).Message, StringComparison.Ordinal);

    [Fact]
    public void Waits_for_oneself_or_ones_parent()
    {
        var builder = Apps.Running();
        var c = builder.AddContainer("c", "image");
        Assert.Contains("'c' cannot wait for itself", Assert.Throws<DistributedApplicationException>(() => c.WaitFor(c)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_health_check_needs_an_http_endpoint()
    {
        var c = Apps.Running().AddContainer("c", "image").WithEndpoint(targetPort: 1, name: "tcp");
        Assert.Contains("it has no endpoint 'http'", Assert.Throws<DistributedApplicationException>(() => c.WithHttpHealthCheck()).Message, StringComparison.Ordinal);
        Assert.Contains("endpoint 'tcp' is tcp", Assert.Throws<DistributedApplicationException>(() => c.WithHttpHealthCheck(endpointName: "tcp")).Message, StringComparison.Ordinal);
        Assert.Contains("must be relative", Assert.Throws<ArgumentException>(() => c.WithHttpEndpoint().WithHttpHealthCheck("https://x/")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_unknown_operation() =>
        Assert.Contains("--operation 'deploy' is unknown", Assert.Throws<DistributedApplicationException>(() => Apps.Running("--operation=deploy")).Message, StringComparison.Ordinal);

    [Fact]
    public void What_contradicts_itself_is_told_at_once_before_anything_starts()
    {
        using var project = Apps.Project();
        var builder = Apps.Running();
        builder.AddProject("proxyless", project.Path).WithReplicas(2).WithHttpEndpoint(isProxied: false);
        builder.AddProject("target", project.Path).WithReplicas(2).WithHttpEndpoint(targetPort: 5000);
        builder.AddExecutable("same", "x", ".").WithHttpEndpoint(port: 5001, targetPort: 5001);
        builder.AddExecutable("differ", "x", ".").WithHttpEndpoint(port: 5002, targetPort: 5003, isProxied: false);
        var a = builder.AddContainer("a", "image");
        var b = builder.AddContainer("b", "image").WaitFor(a);
        a.WaitForCompletion(b);

        var error = Assert.Throws<DistributedApplicationException>(() => ModelValidation.Check(new(builder.Resources)));

        Assert.Contains("endpoint 'http' of resource 'proxyless' has isProxied: false, but 2 replicas", error.Message, StringComparison.Ordinal);
        Assert.Contains("endpoint 'http' of resource 'target' has targetPort: 5000, but 2 replicas", error.Message, StringComparison.Ordinal);
        Assert.Contains("endpoint 'http' of resource 'same' has port and targetPort 5001", error.Message, StringComparison.Ordinal);
        Assert.Contains("endpoint 'http' of resource 'differ' has isProxied: false with port: 5002 and targetPort: 5003", error.Message, StringComparison.Ordinal);
        Assert.Contains("a -> b -> a", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("redis", null, "redis", "latest", null)]
    [InlineData("library/redis:8", null, "library/redis", "8", null)]
    [InlineData("docker.io/library/redis", "docker.io", "library/redis", "latest", null)]
    [InlineData("localhost:5000/a/b:1", "localhost:5000", "a/b", "1", null)]
    [InlineData("ghcr.io/a/b@sha256:abc", "ghcr.io", "a/b", null, "abc")]
    public void Image_names_are_taken_apart(string image, string? registry, string path, string? tag, string? digest)
    {
        var annotation = Apps.Running().AddContainer("c", image).Resource.Annotations.OfType<ContainerImageAnnotation>().Single();
        Assert.Equal((registry, path, tag, digest), (annotation.Registry, annotation.Image, annotation.Tag, annotation.SHA256));
    }
}
